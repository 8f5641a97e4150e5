#!/bin/sh
# The Linux binaries of a release, in a container whose C library is the oldest one they support:
#   docker run --rm -v "$PWD:/src" -w /src quay.io/pypa/manylinux_2_28_x86_64 sh scripts/container-prebuild.sh
#   docker run --rm -v "$PWD:/src" -w /src node:20-alpine                     sh scripts/container-prebuild.sh
set -eu
if [ -e /etc/alpine-release ]; then
  apk add --no-cache g++ cmake make linux-headers binutils
  apk add --no-cache binutils-gold || true  # makes one of equal functions: the binary is smaller
  limit=
else
  dnf -y module enable nodejs:20
  dnf -y install nodejs npm cmake make binutils
  limit='--max-glibc 2.28'
fi
npm ci
# shellcheck disable=SC2086
npm run prebuild -- $limit
