#!/usr/bin/env bash
# usage: check_symbols.sh NM LIBRARY: fails if an object that is compiled for an instruction set defines a weak function:
# the linker might pick it for code that runs on older CPUs. (Weak data, which holds no code, may stay.)
set -euo pipefail
symbols=$("$1" --demangle "$2")
leaks=$(awk '
  /\.o:$/ { object = $1; next }
  / W / && object !~ /^(isa|x86_cpu)\./ { print object, $0 }' <<<"$symbols")
if [ -n "$leaks" ]; then
  echo "symbols that code for older CPUs could be linked to:"
  echo "$leaks"
  exit 1
fi
# Nothing was overlooked: the tables are in the library that was read.
grep -q 'kernels::scalar_table' <<<"$symbols" || { echo "no kernels in $2"; exit 1; }
echo "no leaking symbols"
