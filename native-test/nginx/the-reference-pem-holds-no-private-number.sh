# The reference is its version, the public key of the certificate and a label: nothing is left in which a private number could be.
source "$(dirname "$0")/lib.sh"
given_a_site

for kind in ec rsa; do
  grep -v -- ----- "$dir/web/$kind.key" | base64 -d | hex >"$dir/reference.hex"
  openssl x509 -in "$dir/web/$kind.crt" -pubkey -noout | openssl pkey -pubin -outform DER | hex >"$dir/spki.hex"
  label=$(printf 'www-%s' "$kind" | hex)
  label_length=$(printf '%02x' $((${#label} / 2)))
  explicit_length=$(printf '%02x' $((${#label} / 2 + 2)))

  rest=$(sed "s/^30\(82....\|81..\|..\)020101$(cat "$dir/spki.hex")//" "$dir/reference.hex")
  [[ "$rest" == "a0${explicit_length}0c${label_length}${label}" ]] || give_up "web/$kind.key holds more than it should: $rest"
done
