#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches and unpacks Debian packages of another architecture, for the cross build and for the lab's devices:
#   foreign-debs.sh ARCH CACHE fetch PACKAGE...        prints the archives of the packages and of what they depend on
#   foreign-debs.sh ARCH CACHE alone PACKAGE...        the same without what they depend on
#   foreign-debs.sh ARCH CACHE depends PACKAGE         names the packages that apt would install
# apt runs with lists and a dpkg status of its own in CACHE: the host's apt and dpkg are not changed, and the
# host's own Debian mirrors are used. Nothing is configured, nothing of the other architecture runs.
set -eu
arch=$1
cache=$2
verb=$3
shift 3

mkdir -p "$cache/lists/partial" "$cache/archives/partial" "$cache/etc"
cache=$(cd "$cache" && pwd)
[ -e "$cache/status" ] || : >"$cache/status"

# The host's Debian sources, for the other architecture.
sources() {
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' | sort -u |
    while read -r uri release component; do echo "deb [arch=$arch] $uri $release $component"; done
}

foreign() {
  apt-get -q -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o Dir::Etc::sourcelist="$cache/etc/sources.list" \
    -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null -o Dir::State::status="$cache/status" \
    -o Dir::State::lists="$cache/lists" -o Dir::Cache::archives="$cache/archives" -o Dir::Cache::pkgcache= \
    -o Dir::Cache::srcpkgcache= -o Acquire::Languages=none -o APT::Sandbox::User=root \
    -o APT::Install-Recommends=false -o Debug::NoLocking=1 "$@"
}

if [ ! -e "$cache/updated" ]; then
  [ -n "$(sources)" ] || apt-get update -qq
  sources >"$cache/etc/sources.list"
  if [ ! -s "$cache/etc/sources.list" ]; then
    echo "foreign-debs: apt on this machine has no Debian sources" >&2
    exit 1
  fi
  # A mirror in mid-update lacks one suite for a while; the others are enough, if the packages are in them.
  foreign update >"$cache/update.log" 2>&1 || echo "foreign-debs: apt-get update had errors, see $cache/update.log" >&2
  touch "$cache/updated"
fi

# "Inst name (version Debian… [arch])" → name and the archive's file name, as apt writes it
plan() { # PACKAGE...
  foreign -s install "$@" | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) [^[]*\[\([a-z0-9]*\)\]).*/\1 \2 \3/p' |
    while read -r name version of; do
      echo "$name ${name}_$(echo "$version" | sed 's/:/%3a/g')_$of.deb"
    done
}

case $verb in
  depends) plan "$@" | cut -d' ' -f1 ;;
  fetch)
    foreign install -y --download-only "$@" >"$cache/fetch.log" 2>&1 || {
      tail -5 "$cache/fetch.log" >&2
      exit 1
    }
    plan "$@" | while read -r _ file; do echo "$cache/archives/$file"; done
    ;;
  alone)
    plan "$@" | while read -r name file; do
      case " $* " in *" $name "*) ;; *) continue ;; esac
      [ -e "$cache/archives/$file" ] || (cd "$cache/archives" && foreign download "$name" >>"$cache/fetch.log" 2>&1)
      echo "$cache/archives/$file"
    done
    ;;
  *)
    echo "foreign-debs: unknown verb $verb" >&2
    exit 2
    ;;
esac
