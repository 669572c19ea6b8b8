export interface ConfigFacts {
  readonly module: string;
  readonly softhsm_conf: string;
  readonly tokenLabel: string;
  /** The user who ran `signet init`. */
  readonly uid: number;
}

/** The configuration file that `signet init` writes. JSON's strings are YAML's too. */
export function configText({ module, softhsm_conf, tokenLabel, uid }: ConfigFacts): string {
  const quoted = JSON.stringify;
  return `# Made by "signet init". Start it as it is:  signet serve --config THIS_FILE
# Relative paths count from the folder of this file. "signet check" tells what is wrong after a change.
# examples/signet.yaml shows and explains every option.

version: 1

# Where the keys are: a SoftHSM token in this folder. Its PIN is in the file "pin"; "so-pin" has the security officer's,
# which sets a new PIN when the first is lost or locked. Keep both to yourself.
tokens:
  - name: main
    module: ${quoted(module)}
    environment:
      # Absolute; say it anew if the folder moves, here and in softhsm2.conf itself.
      SOFTHSM2_CONF: ${quoted(softhsm_conf)}
    token_label: ${quoted(tokenLabel)}
    pin_file: pin
    # Processes that sign, each with one login.
    signers: 2

# Where web servers (the OpenSSL provider) come in. To let another user's processes in, give the socket
# mode: "0660" and group: THEIR_GROUP, and add a principal with their uid below.
sockets:
  - role: web
    path: run/web.sock

# The gRPC API, for "signet sign", "signet keys list --service" and programs of this user.
grpc:
  unix:
    - role: local
      path: run/grpc.sock

# For "signet status" and "signet keys disable": whoever may open it rules the service.
admin:
  path: run/admin.sock

# Public facts of the keys, for programs that name keys by label. The service writes it.
catalogue_file: run/catalogue

# What must last across restarts, such as which keys are disabled.
state_dir: state

# A line for every attempt, chained by hashes: "signet audit tail" shows the last, "signet audit verify" follows the chain.
audit:
  file: audit.log

# Who the callers are. The first that matches counts; whom none matches is refused everything.
principals:
  - name: web
    socket: { role: web, uid: ${uid} }
  - name: local
    socket: { role: local, uid: ${uid} }

# Who may sign what with which keys ("label:NAME", or "*" for all). What no grant gives is refused.
grants:
  # TLS handshakes of a server, and nothing else.
  - principal: web
    keys: ["*"]
    uses: [tls13-server, tls12-server]
  # "digest" is anything at all: for a try with "signet sign". Take it out where keys are worth something.
  - principal: local
    keys: ["*"]
    uses: [tls13-server, tls12-server, csr, digest]
`;
}
