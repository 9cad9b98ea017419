#!/bin/sh
# Prints where MinIO is, a server that speaks S3: what the black-box tests compiled, or, compiled here once, cache/minio (needs Go).
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
clients=${AQUIFER_TEST_CACHE:-$here/../../.cache}/clients

for found in "$clients"/minio-*/minio; do
    # What is not whole yet has another name.
    case $found in *.unfinished/*) continue ;; esac
    [ -x "$found" ] && echo "$found" && exit
done
mkdir -p "$here/cache/minio"
# Whoever comes while another compiles waits, and finds it done.
exec 9>"$here/cache/minio/.lock"
flock 9
[ -x "$here/cache/minio/minio" ] ||
    "$here/../../services/aquifer/tests/clients/minio/install" "$here/cache/minio" >&2
echo "$here/cache/minio/minio"
