#!/usr/bin/env bash
# docs/pkcs11.md says what the code says: the functions in their order, the mechanisms, the variables of the environment.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
docs="$root/docs/pkcs11.md"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
failed=0

same() {
  number=$((number + 1))
  if diff "$work/docs" "$work/code" >"$work/diff" && [[ -s "$work/code" ]]; then
    echo "ok $number - $1"
  else
    failed=1
    echo "not ok $number - $1"
    sed 's/^/# /' "$work/diff"
  fi
}

code="$root/native/pkcs11"
sed -n 's/^\(SERVED\|REFUSED\)\(_3_0\)\{0,1\}(\(C_[A-Za-z]*\).*/\3 \1 \2/p' "$code/functions.def" >"$work/code"
sed -n 's/^| `\(C_[A-Za-z]*\)`\( (3.0)\)\{0,1\} | \(served\|`CKR_FUNCTION_NOT_SUPPORTED`\).*/\1 \3 \2/p' "$docs" |
  sed 's/`CKR_FUNCTION_NOT_SUPPORTED`/REFUSED/; s/served/SERVED/; s/ (3.0)/_3_0/; s/  _3_0$/ _3_0/' >"$work/docs"
same "every function stands in the docs, in order, with what becomes of it"

sed -n '/mechanisms\[\] = {/,/^};/s/.*\(CKM_[A-Z0-9_]*\).*/\1/p' "$code/mechanism.c" >"$work/code"
sed -n 's/^| `\(CKM_[A-Z0-9_]*\)` |.*/\1/p' "$docs" >"$work/docs"
same "every mechanism stands in the docs, in order"

grep -oh 'SIGNET_[A-Z0-9_]*"' "$code/settings.c" | tr -d '"' | sort -u >"$work/code"
sed -n 's/^| `\(SIGNET_[A-Z0-9_]*\)` |.*/\1/p' "$docs" | sort >"$work/docs"
same "every variable of the environment stands in the docs"

sed -n 's/.*= \(CKR_[A-Z_]*\),$/\1/p' "$code/ckr.c" | grep -v CKR_OK | sort -u >"$work/code"
sed -n '/^## When a signature fails/,/^Before/s/.* | `\(CKR_[A-Z_]*\)` |$/\1/p' "$docs" | sort -u >"$work/docs"
same "every failure's code stands in the docs"

echo "1..$number"
exit $failed
