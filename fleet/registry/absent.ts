// SPDX-License-Identifier: Apache-2.0
// What stands under /v2/ where the fleet keeps no registry of its own: a refusal in the form of OCI
// distribution-spec §Error Codes, so that image tools say it in words.

import type { IncomingMessage, ServerResponse } from 'node:http';

export async function noRegistry(
  _request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const message = 'this fleet server has no registry; images are kept elsewhere';
  const body = JSON.stringify({ errors: [{ code: 'UNSUPPORTED', message }] });
  response.writeHead(404, { 'content-type': 'application/json', connection: 'close' });
  response.end(body);
}
