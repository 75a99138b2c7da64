#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Cross-compiles sqlite3's addon: addon.sh arm64|arm TOOLS-PREFIX WORK-FOLDER OUT. The sources are those that npm
# installed; libstdc++ and libgcc go in statically, so that the device needs glibc alone.
set -eu
arch=$1
prefix=$2
work=$3
out=$4
project=$(cd "$(dirname "$0")/.." && pwd)

headers=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
if [ ! -e "$headers/include/node/node.h" ]; then
  echo "addon: $headers/include/node has no headers of Node; install the Node that brings them" >&2
  exit 1
fi
echo "addon: compiling sqlite3 for $arch, which takes two to ten minutes"
rm -rf "$work"
mkdir -p "$work"
cp -r node_modules/sqlite3/binding.gyp node_modules/sqlite3/deps node_modules/sqlite3/src node_modules/sqlite3/package.json "$work/"
ln -s "$project/node_modules" "$work/node_modules"
(
  cd "$work"
  export CC="$prefix-gcc" CXX="$prefix-g++" AR="$prefix-ar" LINK="$prefix-g++"
  export LDFLAGS="-static-libstdc++ -static-libgcc -Wl,-s"
  node "$project/node_modules/node-gyp/bin/node-gyp.js" rebuild --arch="$arch" --nodedir="$headers" --jobs=2 --loglevel=error >build.log 2>&1 || {
    tail -30 build.log >&2
    exit 1
  }
)
cp "$work/build/Release/node_sqlite3.node" "$out"
echo "built $out ($(stat -c %s "$out") bytes)"
