import type { Command } from 'commander';
import type { GetStatusResponse, KeyStatus, SignerStatus, TokenStatus } from '../../gen/signet/v1/admin.js';
import { act, type Cli, type GlobalOptions } from '../cli.js';
import { configOf } from '../configured.js';
import { type KeyFacts, keyFacts, keyLine } from '../key-facts.js';

export function registerStatus(program: Command, cli: Cli): void {
  const command = program.command('status').description('how the running service is: its signers and keys');
  act(command, cli, (options) => status(options, cli));
}

async function status(options: GlobalOptions, cli: Cli) {
  const config = await configOf(options, cli);
  const { ask, onAdminSocket } = await import('../service.js');
  const { serviceKeyOf } = await import('../service-keys.js');
  const answer = await onAdminSocket(config, (admin) => ask(admin, admin.getStatus, {}));
  const keys = answer.keys.flatMap((status) => {
    return status.key ? [{ ...keyFacts(serviceKeyOf(status.key)), ...stateOf(status) }] : [];
  });
  const tokens = answer.tokens.map(tokenFacts);
  const signers = answer.signers.map(signerFacts);
  return { data: { ...numbersOf(answer), tokens, signers, keys }, text: pageOf(answer, keys) };
}

function numbersOf(answer: GetStatusResponse) {
  return {
    version: answer.version,
    pid: answer.pid,
    uptime_s: answer.uptimeS,
    serving: answer.serving,
    draining: answer.draining,
    queued: answer.queued,
    in_flight: answer.inFlight,
    signatures: answer.signatures,
    errors: answer.errors,
  };
}

/** The words of admin.proto's TokenState, in its order. */
const TOKEN_STATES: readonly string[] = [
  'unspecified',
  'serving',
  'down',
  'draining',
  'drained',
  'latched',
  'quarantined',
  'failing',
];

function tokenFacts({ name, state, reason, breakerOpenings }: TokenStatus) {
  return { name, state: TOKEN_STATES[state] ?? 'unspecified', reason, breaker_openings: breakerOpenings };
}

/** The words of admin.proto's SignerState, in its order. */
const SIGNER_STATES: readonly string[] = ['unspecified', 'starting', 'ready', 'draining', 'dead', 'recovering'];

function signerFacts(signer: SignerStatus) {
  return {
    token: signer.token,
    pid: signer.pid,
    state: SIGNER_STATES[signer.state] ?? 'unspecified',
    in_flight: signer.inFlight,
    signatures: signer.signatures,
    restarts: signer.restarts,
    recoveries: signer.recoveries,
    last_error: signer.lastError,
  };
}

function stateOf({ disabled, tokens }: KeyStatus) {
  return { disabled, tokens };
}

function pageOf(answer: GetStatusResponse, keys: readonly (KeyFacts & ReturnType<typeof stateOf>)[]): string {
  const state = answer.draining ? 'draining' : answer.serving ? 'serving' : 'not serving: no signer takes jobs';
  const lines = [
    `signet ${answer.version}, pid ${answer.pid}, up ${answer.uptimeS} s: ${state}`,
    `signatures ${answer.signatures}, errors ${answer.errors}, queued ${answer.queued}, in flight ${answer.inFlight}`,
    'tokens:',
    ...answer.tokens.map(tokenLine),
    'signers:',
    ...answer.signers.map(signerLine),
    'keys:',
    ...keys.map((key) => `  ${keyLine(key)}${key.disabled ? ' DISABLED' : ''} on ${key.tokens.join(', ')}`),
  ];
  return `${lines.join('\n')}\n`;
}

function tokenLine(token: TokenStatus): string {
  const { name, state, reason } = tokenFacts(token);
  return `  ${name} ${state}${reason === '' ? '' : `: ${reason}`}`;
}

function signerLine(signer: SignerStatus): string {
  const { token, pid, state, in_flight, signatures, restarts, recoveries, last_error } = signerFacts(signer);
  const last = last_error === '' ? '' : `, last error: ${last_error}`;
  return `  ${token} pid ${pid} ${state}, in flight ${in_flight}, signatures ${signatures}, restarts ${restarts}, recoveries ${recoveries}${last}`;
}
