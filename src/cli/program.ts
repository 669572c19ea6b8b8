import { Command } from 'commander';
import { VERSION } from '../version.js';
import type { Cli } from './cli.js';
import { registerAuditTail } from './commands/audit-tail.js';
import { registerAuditVerify } from './commands/audit-verify.js';
import { registerCertsCsr } from './commands/certs-csr.js';
import { registerCertsExport } from './commands/certs-export.js';
import { registerCertsImport } from './commands/certs-import.js';
import { registerCertsIssue } from './commands/certs-issue.js';
import { registerCertsSelfSign } from './commands/certs-self-sign.js';
import { registerCheck } from './commands/check.js';
import { registerClientsAdd } from './commands/clients-add.js';
import { registerConfigServers } from './commands/config-servers.js';
import { registerDoctor } from './commands/doctor.js';
import { registerDrain } from './commands/drain.js';
import { registerInit } from './commands/init.js';
import { registerKeysDelete } from './commands/keys-delete.js';
import { registerKeysExport } from './commands/keys-export.js';
import { registerKeysGenerate } from './commands/keys-generate.js';
import { registerKeysImport } from './commands/keys-import.js';
import { registerKeysList } from './commands/keys-list.js';
import { registerKeysState } from './commands/keys-state.js';
import { registerPolicyTest } from './commands/policy-test.js';
import { registerReload } from './commands/reload.js';
import { registerServe } from './commands/serve.js';
import { registerSign } from './commands/sign.js';
import { registerStatus } from './commands/status.js';
import { registerTokenDrain } from './commands/token-drain.js';
import { registerTokenUnlatch } from './commands/token-unlatch.js';
import { registerVerify } from './commands/verify.js';
import { EXIT_CODES } from './exit-codes.js';

/** The whole command line. Commands load what is heavy only when they run. */
export function createProgram(cli: Cli): Command {
  const program = new Command('signet')
    .description('Keyless TLS: keys stay in the token, servers sign through the service.')
    .version(VERSION)
    .option('--config <file>', 'configuration file (default: SIGNET_CONFIG, ./signet.yaml, /etc/signet/signet.yaml)')
    .option('--json', 'print the result, or the error, as one line of JSON on stdout')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: (text) => cli.stdout.write(text), writeErr: (text) => cli.stderr.write(text) })
    .exitOverride()
    .addHelpText('after', exitCodeHelp);
  registerInit(program, cli);
  registerServe(program, cli);
  registerStatus(program, cli);
  registerReload(program, cli);
  registerDrain(program, cli);
  registerCheck(program, cli);
  registerDoctor(program, cli);
  registerSign(program, cli);
  registerVerify(program, cli);

  const config = program.command('config').description('configuration of other programs');
  registerConfigServers(config, cli);

  const token = program.command('token').description('the tokens of the service');
  registerTokenDrain(token, cli);
  registerTokenUnlatch(token, cli);

  const keys = program.command('keys').description('keys on the token');
  registerKeysGenerate(keys, cli);
  registerKeysImport(keys, cli);
  registerKeysList(keys, cli);
  registerKeysState(keys, cli);
  registerKeysDelete(keys, cli);
  registerKeysExport(keys, cli);

  const certs = program.command('certs').description('certificates of the keys, made offline with the PIN');
  registerCertsCsr(certs, cli);
  registerCertsSelfSign(certs, cli);
  registerCertsIssue(certs, cli);
  registerCertsImport(certs, cli);
  registerCertsExport(certs, cli);

  const policy = program.command('policy').description('who may sign what');
  registerPolicyTest(policy, cli);

  const clients = program.command('clients').description('services that speak gRPC');
  registerClientsAdd(clients, cli);

  const audit = program.command('audit').description('the record of every request');
  registerAuditVerify(audit, cli);
  registerAuditTail(audit, cli);
  return program;
}

function exitCodeHelp(): string {
  const lines = Object.values(EXIT_CODES).map(({ code, meaning }) => `  ${code}  ${meaning}`);
  return `\nExit codes:\n${lines.join('\n')}\n`;
}
