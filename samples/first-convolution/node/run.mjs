// Calls a module that was compiled for wasm32, as runtime/include/crosscut/abi.h describes it: the engine loads it, this
// file reads the table, gives memory to the call, and calls the entry point. Offsets are those that abi.h asserts.
//
//   node run.mjs runs|refuses_a_small_arena conv.xcm input.bin expected.bin
import { readFileSync } from 'node:fs';

const [behaviour, modulePath, inputPath, expectedPath] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(modulePath), {});
const { memory, xcut_table, __heap_base, __indirect_function_table: functions } = instance.exports;

// ---- The module's table --------------------------------------------------------------------------------------------
let view = new DataView(memory.buffer);
const u32 = (at) => view.getUint32(at, true);
const u64 = (at) => Number(view.getBigUint64(at, true));
const target = (at) => at + view.getInt32(at, true); // xcut_offset: bytes from the field itself
const table = xcut_table.value;
if (u32(table) !== 0x314d4358 || view.getUint16(table + 4, true) !== 1) throw new Error('no module table of version 1');
const info = target(table + 48); // the first xcut_function_info
const variant = target(table + 52); // the only xcut_variant
const run = functions.get(u32(target(variant + 28))); // code is named by its index in the function table
const weights = u64(table + 24);
const arenaBytes = u64(info + 24);
const tensorCount = u32(info + 8) + u32(info + 12);
const dimensions = [];
for (let i = 0; i < tensorCount; ++i) {
  const tensor = target(info + 4) + 16 * i;
  const dims = target(tensor + 4);
  dimensions.push(Array.from({ length: view.getUint8(tensor + 9) }, (_, d) => Number(view.getBigInt64(dims + 8 * d, true))));
}

// ---- Memory for the call, after the module's own ---------------------------------------------------------------------
let heap = __heap_base.value;
function allocate(bytes) {
  const at = (heap + 63) & ~63;
  heap = at + bytes;
  const missing = heap - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / 65536));
  return at;
}
const input = readFileSync(inputPath);
const expected = readFileSync(expectedPath);
const data = [allocate(input.length), allocate(expected.length)];
const dims = dimensions.map((d) => allocate(8 * d.length));
const tensors = allocate(16 * tensorCount);
const call = allocate(64);
const arena = allocate(arenaBytes);
view = new DataView(memory.buffer);
new Uint8Array(memory.buffer).set(input, data[0]);
dimensions.forEach((d, i) => {
  d.forEach((size, j) => view.setBigInt64(dims[i] + 8 * j, BigInt(size), true));
  view.setUint32(tensors + 16 * i, data[i], true);
  view.setUint32(tensors + 16 * i + 8, dims[i], true);
});
[0, weights, arena, tensors].forEach((pointer, i) => view.setUint32(call + 8 * i, pointer, true));
const given = behaviour === 'refuses_a_small_arena' ? arenaBytes - 1 : arenaBytes;
view.setBigUint64(call + 32, BigInt(given), true);

// ---- The call --------------------------------------------------------------------------------------------------------
const status = run(call);
if (behaviour === 'refuses_a_small_arena') {
  // XCUT_RUN_ARENA, and both sizes.
  if (status !== 2 || u64(call + 48) !== arenaBytes || u64(call + 56) !== given) throw new Error(`status ${status}`);
  console.log('refused');
  process.exit(0);
}
if (status !== 0) throw new Error(`status ${status}`);
const actual = new Float32Array(memory.buffer, data[1], expected.length / 4);
const wanted = new Float32Array(new Uint8Array(expected).buffer);
const wrong = actual.findIndex((value, i) => !(Math.abs(value - wanted[i]) <= 1e-5 + 1e-5 * Math.abs(wanted[i])));
if (wrong >= 0) throw new Error(`element ${wrong} is ${actual[wrong]}, expected ${wanted[wrong]}`);
console.log(`${dimensions[0].join('x')} -> ${dimensions[1].join('x')}: right`);
