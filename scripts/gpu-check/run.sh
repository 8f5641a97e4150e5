#!/bin/sh
# The whole check of a card, in a folder that scripts/gpu-bundle.mjs made: sh run.sh [--quick]
here=$(cd "$(dirname "$0")" && pwd)
[ -x "$here/node" ] || { gunzip -c "$here/node.gz" > "$here/node" && chmod +x "$here/node"; }
exec "$here/node" "$here/check.mjs" "$here" "$@"
