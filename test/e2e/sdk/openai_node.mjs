// SPDX-License-Identifier: Apache-2.0
// Every operation of the Node SDK but administration, against BASE_URL with API_KEY. See harness.mjs.
//   BASE_URL=http://127.0.0.1:8788/v1 API_KEY=sk-… node openai_node.mjs [FILTER]
import './node_inference.mjs';
import './node_objects.mjs';
import { ADMIN_KEY, runAll } from './harness.mjs';

if (ADMIN_KEY) await import('./node_admin.mjs');
process.exit((await runAll(process.argv[2])) ? 1 : 0);
