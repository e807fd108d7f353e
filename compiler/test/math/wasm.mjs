// The functions of functions.h on WebAssembly, against JavaScript's own; those that it lacks are left out.
//   node wasm.mjs MATH-COMPILE WASM-LD
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const [, script, compile, linker] = process.argv;
const folder = mkdtempSync(join(tmpdir(), 'math-'));
let image;
try {
  const object = join(folder, 'functions.o');
  const module = join(folder, 'functions.wasm');
  execFileSync(compile, ['--target=wasm32', '-o', object]);
  execFileSync(linker, ['--no-entry', '--export-all', '--import-memory', object, '-o', module]);
  image = readFileSync(module);
} finally {
  rmSync(folder, { recursive: true });
}

// name, reference, bound of every UNARY and BINARY line.
const text = readFileSync(join(dirname(script), 'functions.h'), 'utf8').replace(/\\\n\s*/g, ' ');
const functions = [...text.matchAll(/\b(UNARY|BINARY)\((\w+), ((?:"[^"]*"\s*)+), ([^;]*?), ([\d.]+)\)(?=\s)/g)].map(
    ([, kind, name, , reference, bound]) => ({ kind, name, reference, bound: Number(bound) }));
const scope = 'const {exp, expm1, log, log2, log10, log1p, tanh, sinh, cosh, asinh, acosh, atanh, sin, cos, tan, asin,' +
    'acos, atan, atan2, cbrt, sqrt, floor, ceil, trunc, pow} = Math; const fabs = Math.abs, exp2 = x => 2 ** x;';
const known = /^(exp2?|expm1|log(2|10|1p)?|a?(tan|sin|cos)h?|atan2|cbrt|rsqrt|sqrt|floor|ceil|trunc|absf|square|cube|pow(third)?)$/;

const count = 240 * 400;
const memory = new WebAssembly.Memory({ initial: 64 });
const { instance } = await WebAssembly.instantiate(image, { env: { memory } });
const base = 2 ** 20;
const arrays = [0, 1, 2].map(i => new Float32Array(memory.buffer, base + i * count * 4, count));
const bits = arrays.map(a => new Uint32Array(a.buffer, a.byteOffset, count));
const [x, z, y] = arrays;

function ulps(got, want) {
  const rounded = Math.fround(want);
  if (Number.isNaN(want)) return Number.isNaN(got) ? 0 : Infinity;
  if (Object.is(got, rounded) && !Number.isFinite(got)) return 0;
  if (rounded === 0 && got === 0 && !Object.is(got, rounded)) return Infinity;
  return Math.abs(got - want) / ulpOf(want);
}

function ulpOf(value) {
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(value) || 1e-300)));
  return 2 ** (Math.min(exponent, 127) - 23);
}

let failed = 0, checked = 0;
for (const { kind, name, reference, bound } of functions) {
  if (!known.test(name)) continue;
  const expected = new Function('x', 'z', `${scope} return ${reference};`);
  const trigonometric = /^(sin|cos|tan)$/.test(name);
  for (let i = 0; i < count; i++) {
    bits[0][i] = (i * 44741) >>> 0;  // all exponents
    if (i % 3 === 0) x[i] = (i - count / 2) / 1000;
    z[i] = kind === 'BINARY' ? ((i * 7919) % 4001 - 2000) / 100 : 1;
    if (Number.isNaN(x[i]) || (trigonometric && Math.abs(x[i]) > 2 ** 22)) x[i] = NaN;
    if (name === 'pow' && Math.abs(x[i]) === 1) x[i] = 2;  // JavaScript's 1 ** NaN differs from C's
  }
  for (const width of [0, 3, 4, 5, 8, 16]) {
    instance.exports[`${name}_${width}`](base, base + count * 4, base + count * 8, count);
    let worst = 0, at = 0;
    for (let i = 0; i < count; i++) {
      const error = ulps(y[i], expected(x[i], z[i]));
      if (error > worst) [worst, at] = [error, i];
    }
    // JavaScript's references are not always correct to the last bit of a double.
    if (worst <= bound + 1e-6) continue;
    failed++;
    console.log(`FAILED ${name}, width ${width}: ${worst} ulp at x ${x[at]} z ${z[at]}: ${y[at]}`);
  }
  checked++;
}
console.log(`${checked} functions compared, ${failed} failures`);
if (failed || checked < 30) process.exit(1);
