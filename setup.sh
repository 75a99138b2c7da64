#!/bin/sh
# Installs what building and running Wherry needs: Debian packages, npm packages. With `test` also what the tests run
# against, with `cross` the compilers for ARM, with `lab` those and what emulates a device.
# As root on a Debian 12 with Node 20, npm, git and make. Quick when everything is there already.
set -eu
cd "$(dirname "$0")"

build="gcc g++ libc6-dev linux-libc-dev musl-tools binutils libzstd-dev zlib1g-dev python3"
run="ca-certificates iproute2 nftables busybox-static util-linux procps"
test="clang clang-format libclang-rt-14-dev runc crun buildah podman conmon uidmap fuse-overlayfs skopeo umoci docker-registry mosquitto mosquitto-clients nginx-light nats-server rabbitmq-server zstd openssl curl systemd lintian groff mandoc man-db zsh fish bash-completion"

cross="gcc-aarch64-linux-gnu g++-aarch64-linux-gnu gcc-arm-linux-gnueabihf g++-arm-linux-gnueabihf"
lab="qemu-system-arm e2fsprogs cpio kmod"

packages="$build $run"
for mode in "$@"; do
  case $mode in
    test) packages="$packages $test" ;;
    cross) packages="$packages $cross" ;;
    lab) packages="$packages $cross $lab" ;;
    *)
      echo "setup: the modes are test, cross and lab, not '$mode'" >&2
      exit 2
      ;;
  esac
done

missing=""
for package in $packages; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "setup: these Debian packages are missing:$missing" >&2
    echo "setup: run 'apt-get install$missing' as root, then again" >&2
    exit 1
  fi
  echo "setup: installing Debian packages:$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # policy-rc.d: a package must not start a service of its own (mosquitto, docker-registry) on this machine.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

if [ ! -e node_modules/.setup ] || ! cmp -s package-lock.json node_modules/.setup; then
  echo "setup: installing npm packages; sqlite3 compiles for one to five minutes where no prebuilt binary can be fetched"
  headers=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  [ -e "$headers/include/node/node.h" ] && export npm_config_nodedir="$headers"
  npm ci --no-audit --no-fund --loglevel=error
  node -e 'require("sqlite3")'
  cp package-lock.json node_modules/.setup
fi
echo "setup: done"
