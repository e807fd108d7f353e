// Runs a function of a WebAssembly module of Crosscut, with the arguments of crosscut-run:
//   node run.mjs --module=M [--function=main] --input=@in.npy... --output=@out.npy...
//
// This is all that a host has to do. The module brings its memory and its function table; everything else is found
// through the module table (abi.h), whose code references are indices of the function table. Tensors, their dimensions,
// the arena and the call's record are put behind the module's own data.
import { readFileSync, writeFileSync } from 'node:fs';

const fail = (message) => {
  console.error(`run.mjs: ${message}`);
  process.exit(1);
};
const given = (flag) => process.argv.filter((a) => a.startsWith(`--${flag}=`)).map((a) => a.slice(flag.length + 3));
const files = (flag) => given(flag).map((text) => text.replace(/^@/, ''));

// ---- .npy files ------------------------------------------------------------------------------------------------------
// By XCUT_TYPE_*: numpy's name and bytes.
const types = { 1: ['<f4', 4], 5: ['|i1', 1], 6: ['<i2', 2], 7: ['<i4', 4], 8: ['<i8', 8], 9: ['|u1', 1], 10: ['<u2', 2],
                11: ['<u4', 4], 12: ['<u8', 8], 13: ['|b1', 1] };

function readNpy(path) {
  const bytes = readFileSync(path);
  const length = bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', 10, 10 + length);
  const dims = [...header.match(/'shape': \(([^)]*)\)/)[1].matchAll(/\d+/g)].map((m) => Number(m[0]));
  if (header.includes("'fortran_order': True") && dims.length > 1) fail(`${path}: columns first`);
  return { descr: header.match(/'descr': '([^']+)'/)[1], dims, data: bytes.subarray(10 + length) };
}

function writeNpy(path, descr, dims, data) {
  const shape = dims.length === 1 ? `(${dims[0]},)` : `(${dims.join(', ')})`;
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`;
  const header = text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11) + '\n';
  const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  writeFileSync(path, Buffer.concat([start, Buffer.from(header, 'latin1'), data]));
}

// ---- The module table ------------------------------------------------------------------------------------------------
const { instance } = await WebAssembly.instantiate(readFileSync(given('module')[0] ?? fail('--module is missing')), {});
const { memory, xcut_table: tableGlobal, __heap_base: heapBase, __indirect_function_table: functions } = instance.exports;
const wide = typeof tableGlobal.value === 'bigint'; // 64-bit memory
const table = Number(tableGlobal.value);

let view = new DataView(memory.buffer);
const u32 = (at) => view.getUint32(at, true);
const i64 = (at) => Number(view.getBigInt64(at, true));
const relative = (at) => at + view.getInt32(at, true);
const textAt = (at) => {
  const bytes = new Uint8Array(memory.buffer, at);
  return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString();
};

if (u32(table) !== 0x314d4358) fail('not a module');
if (view.getUint16(table + 4, true) !== 1) fail('another ABI version');
const weights = i64(table + 24);
const names = Array.from({ length: u32(table + 40) }, (_, i) => textAt(relative(relative(table + 48) + 32 * i)));
const wanted = given('function')[0] ?? 'main';
const number = names.indexOf(wanted);
if (number < 0) fail(`no function '${wanted}': there are ${names.join(', ')}`);
const info = relative(table + 48) + 32 * number; // xcut_function_info
const entry = relative(relative(table + 52) + 28) + 8 * number; // of the only xcut_variant
const inputCount = u32(info + 8);
const outputCount = u32(info + 12);
const tensors = Array.from({ length: inputCount + outputCount }, (_, i) => {
  const at = relative(info + 4) + 16 * i; // xcut_tensor_info
  const type = types[view.getUint8(at + 8)] ?? fail('a type that is not run here');
  const dims = Array.from({ length: view.getUint8(at + 9) }, (_, d) => i64(relative(at + 4) + 8 * d));
  return { descr: type[0], elementBytes: type[1], dims };
});

// ---- The call --------------------------------------------------------------------------------------------------------
let top = Number(heapBase.value);
const allocate = (bytes) => {
  const at = Math.ceil(top / 64) * 64;
  top = at + bytes;
  const missing = Math.ceil((top - memory.buffer.byteLength) / 65536);
  if (missing > 0) memory.grow(wide ? BigInt(missing) : missing);
  view = new DataView(memory.buffer);
  return at;
};
const put64 = (at, value) => view.setBigInt64(at, BigInt(value), true);
const bytesOf = (tensor) => tensor.dims.reduce((bytes, size) => bytes * size, tensor.elementBytes);
const records = allocate(16 * tensors.length);
const call = allocate(64);
const place = (i) => {
  put64(records + 16 * i, allocate(bytesOf(tensors[i])));
};
const invoke = (index) => {
  const status = functions.get(index)(wide ? BigInt(call) : call);
  if (status !== 0) fail(`status ${status}: tensor ${u32(call + 40)}, dimension ${u32(call + 44)}`);
};

const inputs = files('input');
if (inputs.length !== inputCount) fail(`${inputs.length} inputs are given, not ${inputCount}`);
inputs.forEach((path, i) => {
  const { descr, dims, data } = readNpy(path);
  const fits = descr === tensors[i].descr && dims.length === tensors[i].dims.length;
  if (!fits || dims.some((size, d) => tensors[i].dims[d] >= 0 && tensors[i].dims[d] !== size))
    fail(`${path} is ${descr} of ${dims}, expected ${tensors[i].descr} of ${tensors[i].dims}`);
  tensors[i].dims = dims;
  place(i);
  new Uint8Array(memory.buffer).set(data.subarray(0, bytesOf(tensors[i])), i64(records + 16 * i));
});
tensors.forEach((tensor, i) => {
  const at = allocate(8 * tensor.dims.length);
  tensor.dims.forEach((size, d) => put64(at + 8 * d, size));
  put64(records + 16 * i + 8, at);
});
put64(call, 0); // env: the module runs its kernels by itself
put64(call + 8, weights);
put64(call + 24, records);
put64(call + 32, i64(info + 24));
const plan = u32(entry + 4);
if (plan) {
  invoke(plan);
  tensors.forEach((tensor, i) => {
    tensor.dims = tensor.dims.map((_, d) => i64(i64(records + 16 * i + 8) + 8 * d));
  });
}
const arenaBytes = i64(call + 32);
put64(call + 16, allocate(arenaBytes));
for (let i = inputCount; i < tensors.length; ++i) place(i);
invoke(u32(entry));
files('output').forEach((path, i) => {
  const { descr, dims } = tensors[inputCount + i];
  const at = i64(records + 16 * (inputCount + i));
  writeNpy(path, descr, dims, Buffer.from(memory.buffer, at, bytesOf(tensors[inputCount + i])));
});
