#!/usr/bin/env bash
# usage: check_symbols.sh NM LIBRARY: fails if an object other than isa.cpp defines a weak function whose name does not
# carry its own instruction set. (Weak data, which holds no code, may stay.)
set -euo pipefail
leaks=$("$1" --demangle "$2" | awk '
  /\.o:$/ { object = $1; next }
  / W / && object !~ /^isa/ && !/KernelsF32<xsimd::/ { print object, $0 }')
if [ -n "$leaks" ]; then
  echo "symbols that code for older CPUs could be linked to:"
  echo "$leaks"
  exit 1
fi
echo "no leaking symbols"
