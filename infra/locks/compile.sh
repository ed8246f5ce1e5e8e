#!/bin/sh
# Compile the locks anew: `make lock` keeps versions that still fit, `make lock UPGRADE=1` renews.
set -eu
cd "$(dirname "$0")"
compile() {
    target=$1
    shift
    "$UV" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
        ${UPGRADE:+--upgrade} --output-file "$target" "$@"
}
UV=${UV:-../../.venv/bin/uv}
compile bootstrap.txt bootstrap.in
compile main.txt bootstrap.in main.in --constraints bootstrap.txt
compile superset.txt bootstrap.in superset.in --constraints bootstrap.txt
compile flink.txt bootstrap.in flink.in --constraints bootstrap.txt
compile dev.txt bootstrap.in main.in dev.in --constraints main.txt
