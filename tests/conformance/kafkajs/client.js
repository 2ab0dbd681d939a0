// One run of @kafkajs/confluent-schema-registry: reads calls as JSON, answers with what came of each.
//   {"url", "calls": [["method", argument…]…]}  ->  [{"value": …} or {"error": text, "status": number}…]
// Bytes are {"hex": "…"} on both ways.
const { SchemaRegistry } = require('@kafkajs/confluent-schema-registry');

function fromWire(value) {
  return value && typeof value.hex === 'string' ? Buffer.from(value.hex, 'hex') : value;
}

function toWire(value) {
  return Buffer.isBuffer(value) ? { hex: value.toString('hex') } : value === undefined ? null : value;
}

async function answer(registry, [method, ...given]) {
  try {
    return { value: toWire(await registry[method](...given.map(fromWire))) };
  } catch (error) {
    return { error: String(error.message || error), status: error.status || null };
  }
}

async function main() {
  const { url, calls } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  const registry = new SchemaRegistry({ host: url }, {});
  const answers = [];
  for (const call of calls) answers.push(await answer(registry, call));
  console.log(JSON.stringify(answers));
}

main();
