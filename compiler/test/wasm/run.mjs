// Runs a function of a WebAssembly module of Crosscut's: node run.mjs module.wasm input.bin output.bin
//
// This is all that a host has to do. The module brings its memory and its function table; everything else is found
// through the module table (abi.h), whose code references are indices of the function table. Tensors, their dimensions,
// the arena and the call's record are put behind the module's own data.
import { readFileSync, writeFileSync } from 'node:fs';

const [, , modulePath, inputPath, outputPath] = process.argv;
const fail = (message) => {
  console.error(`run.mjs: ${message}`);
  process.exit(1);
};

const { instance } = await WebAssembly.instantiate(readFileSync(modulePath), {});
const { memory, xcut_table: tableGlobal, __heap_base: heapBase, __indirect_function_table: functions } = instance.exports;
const wide = typeof tableGlobal.value === 'bigint'; // 64-bit memory
const table = Number(tableGlobal.value);

let view = new DataView(memory.buffer);
const u32 = (at) => view.getUint32(at, true);
const u64 = (at) => Number(view.getBigUint64(at, true));
const relative = (at) => at + view.getInt32(at, true);

// xcut_module_table
if (u32(table) !== 0x314d4358) fail('not a module');
if (view.getUint16(table + 4, true) !== 1) fail('another ABI version');
const weights = u64(table + 24);
const info = relative(table + 48);
const variant = relative(table + 52);
// xcut_function_info
const tensors = relative(info + 4);
const inputCount = u32(info + 8);
const outputCount = u32(info + 12);
const arenaBytes = u64(info + 24);
// xcut_variant.entries → xcut_entry.run
const run = u32(relative(variant + 28));

const count = inputCount + outputCount;
const shapes = Array.from({ length: count }, (_, i) => {
  const at = tensors + 16 * i;
  const dims = relative(at + 4);
  if (view.getUint8(at + 8) !== 1) fail('only f32 is run here');
  return { dims, rank: view.getUint8(at + 9) };
});
const bytesOf = ({ dims, rank }) => {
  let bytes = 4;
  for (let i = 0; i < rank; ++i) bytes *= u64(dims + 8 * i);
  return bytes;
};

let top = Number(heapBase.value);
const allocate = (bytes) => {
  const at = Math.ceil(top / 64) * 64;
  top = at + bytes;
  const missing = Math.ceil((top - memory.buffer.byteLength) / 65536);
  if (missing > 0) memory.grow(wide ? BigInt(missing) : missing);
  view = new DataView(memory.buffer);
  return at;
};
const data = shapes.map((shape) => allocate(bytesOf(shape)));
const arena = allocate(arenaBytes);
const records = allocate(16 * count);
const call = allocate(64);

const input = readFileSync(inputPath);
if (input.length !== bytesOf(shapes[0])) fail(`the input has ${input.length} bytes, not ${bytesOf(shapes[0])}`);
new Uint8Array(memory.buffer).set(input, data[0]);
const put64 = (at, value) => view.setBigUint64(at, BigInt(value), true);
for (let i = 0; i < count; ++i) {
  put64(records + 16 * i, data[i]);
  put64(records + 16 * i + 8, shapes[i].dims);
}
put64(call, 0); // env: none
put64(call + 8, weights);
put64(call + 16, arena);
put64(call + 24, records);
put64(call + 32, arenaBytes);
const status = functions.get(run)(wide ? BigInt(call) : call);
if (status !== 0) fail(`run returned ${status}: tensor ${u32(call + 40)}, dimension ${u32(call + 44)}`);
const output = data[inputCount];
writeFileSync(outputPath, new Uint8Array(memory.buffer, output, bytesOf(shapes[inputCount])));
