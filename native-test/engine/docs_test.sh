#!/usr/bin/env bash
# docs/engine.md says what the code says.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
docs="$root/docs/engine.md"
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

sed -n 's/^    {\([A-Z_]*\), "\1", .*/\1/p' "$root/native/engine/settings.c" | sort >"$work/code"
sed -n 's/^| `\([A-Z_]*\)` |.*/\1/p' "$docs" | sort >"$work/docs"
same "every setting stands in the docs"

grep -o 'strncmp(text, "[a-z0-9]*_", [0-9])\|URI_SCHEME "[a-z0-9]*:"' "$root/native/engine/name.c" | grep -o '"[a-z0-9]*[_:]"' | tr -d '"' | sort >"$work/code"
sed -n 's/^| `\([a-z0-9]*[_:]\)[^`]*` |.*/\1/p' "$docs" | sort >"$work/docs"
same "every kind of name stands in the docs"

sed -n '/not_looked_at\[\] = {/,/^};/p' "$root/native/engine/name.c" | grep -o '"[a-z-]*"' | tr -d '"' | sort >"$work/code"
sed -n '/^Not looked at: /,/^$/p' "$docs" | grep -o '`[a-z-]*`' | tr -d '`' | sort >"$work/docs"
same "every attribute that is not looked at stands in the docs"

echo "1..$number"
exit $failed
