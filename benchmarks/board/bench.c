// crosscut-bench for boards: runs a model on every sample, compares the outputs, counts and measures one more call, and
// prints a row of a record as one line of JSON, after lines with the outputs:
//
//   output zero 0 3f8000...     sample, index of the output, its bytes
//   {"model": "digits", ..., "status": "pass", "checks": [...], "metrics": [...]}
//
// The counting plugin (../qemu-plugin/count.c) sees the counted call between marks. Exit status: 0 when all was right.
#include "bench.h"

#include <board.h>
#include <stdbool.h>

#include <crosscut/abi.h>

#include "../marks.h"

// ---- Text ------------------------------------------------------------------------------------------------------------

// Semihosting takes whole texts, each at the cost of a call.
static char line[64];
static unsigned used;

static void flush(void) {
  line[used] = 0;
  if (used) board_print(line);
  used = 0;
}

static void print_char(char c) {
  if (used == sizeof line - 1) flush();
  line[used++] = c;
}

static void print(const char *text) {
  while (*text) print_char(*text++);
}

static void print_quoted(const char *text) {
  print_char('"');
  for (; *text; ++text) {
    if (*text == '"' || *text == '\\') print_char('\\');
    print_char(*text);
  }
  print_char('"');
}

static void print_number(uint32_t value) {
  if (value >= 10) print_number(value / 10);
  print_char((char)('0' + value % 10));
}

static void print_bytes(const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    print_char("0123456789abcdef"[bytes[i] >> 4]);
    print_char("0123456789abcdef"[bytes[i] & 15]);
  }
}

// ---- Samples ---------------------------------------------------------------------------------------------------------

typedef struct tensor {
  size_t bytes;
  uint32_t type;
} tensor;

#define TENSOR(index, size, element, ...) {size, element},
static const tensor inputs[] = {BENCH_INPUTS(TENSOR)}, outputs[] = {BENCH_OUTPUTS(TENSOR)};
enum { INPUTS = sizeof inputs / sizeof *inputs, OUTPUTS = sizeof outputs / sizeof *outputs };

// Another 64 bytes show whether something is written behind an output.
#define BUFFER(index, size, ...) static _Alignas(BENCH_ALIGNMENT) uint8_t output##index[(size) + BENCH_ALIGNMENT];
BENCH_OUTPUTS(BUFFER)
#define POINTER(index, ...) output##index,
static void *const buffers[] = {BENCH_OUTPUTS(POINTER)};

XCUT_EMBED(bench_data, BENCH_DATA, ".modules");

static const char *const names[] = BENCH_SAMPLES;
enum { SAMPLES = sizeof names / sizeof *names };

typedef struct sample {
  const void *inputs[INPUTS], *least[OUTPUTS], *most[OUTPUTS];
} sample;

static const uint8_t *take(const uint8_t **at, size_t bytes) {
  const uint8_t *part = *at;
  *at += (bytes + BENCH_ALIGNMENT - 1) / BENCH_ALIGNMENT * BENCH_ALIGNMENT;
  return part;
}

static sample find(unsigned index) {
  sample found;
  const uint8_t *at = bench_data;
  for (unsigned s = 0; s <= index; ++s) {
    for (unsigned i = 0; i < INPUTS; ++i) found.inputs[i] = take(&at, inputs[i].bytes);
    for (unsigned o = 0; o < OUTPUTS; ++o) {
      found.least[o] = take(&at, outputs[o].bytes);
      found.most[o] = take(&at, outputs[o].bytes);
    }
  }
  return found;
}

// Floats in order, without floating-point arithmetic, of which small CPUs have none: as integers, negative ones run
// backwards.
static int64_t ordered(uint32_t bits) { return bits >> 31 ? -(int64_t)(bits & 0x7fffffff) : (int64_t)bits; }

static bool is_between(uint32_t value, uint32_t least, uint32_t most) {
  bool finite = (value & 0x7f800000) != 0x7f800000;
  return value == least || (finite && ordered(value) >= ordered(least) && ordered(value) <= ordered(most));
}

// Elements of floats, bytes of everything else, lie between the least and the most.
static const char *compare(const sample *expected) {
  for (unsigned o = 0; o < OUTPUTS; ++o) {
    const uint8_t *value = buffers[o], *least = expected->least[o], *most = expected->most[o];
    size_t bytes = outputs[o].bytes;
    bool floats = outputs[o].type == XCUT_TYPE_F32;
    for (size_t i = 0; i < (floats ? bytes / 4 : 0); ++i)
      if (!is_between(((const uint32_t *)(const void *)value)[i], ((const uint32_t *)(const void *)least)[i],
                      ((const uint32_t *)(const void *)most)[i]))
        return "wrong output";
    for (size_t i = 0; i < (floats ? 0 : bytes); ++i)
      if (value[i] != least[i]) return "wrong output";
    for (size_t i = 0; i < BENCH_ALIGNMENT; ++i)
      if (value[bytes + i] != 0xff) return "something was written behind an output";
  }
  return NULL;
}

static void fill_outputs(void) {
  for (unsigned o = 0; o < OUTPUTS; ++o)
    for (size_t i = 0; i < outputs[o].bytes + BENCH_ALIGNMENT; ++i) ((uint8_t *)buffers[o])[i] = 0xff;
}

static void print_outputs(const char *name) {
  for (unsigned o = 0; o < OUTPUTS; ++o) {
    print("output ");
    print(name);
    print_char(' ');
    print_number(o);
    print_char(' ');
    print_bytes(buffers[o], outputs[o].bytes);
    print_char('\n');
  }
}

// ---- Memory ----------------------------------------------------------------------------------------------------------

// Set by the linker script. The model's memory lies behind all variables; an eighth of RAM is left to the stack.
extern uint8_t data_start[], bss_end[], stack_top[];
enum { PAINT = 0xa5 };

static uint8_t *heap_begin(void) {
  return (uint8_t *)(((uintptr_t)bss_end + BENCH_ALIGNMENT - 1) & ~(uintptr_t)(BENCH_ALIGNMENT - 1));
}

static uint8_t *heap_end(void) { return stack_top - (size_t)(stack_top - data_start) / 8; }

static void paint_stack(const volatile uint8_t *end) {
  for (volatile uint8_t *p = heap_end(); p < end; ++p) *p = PAINT;
}

static const uint8_t *lowest_of_stack(void) {
  const volatile uint8_t *p = heap_end();
  while (p < stack_top && *p == PAINT) ++p;
  return (const uint8_t *)(uintptr_t)p;
}

// ---- The row ---------------------------------------------------------------------------------------------------------

static void print_metric(const char *name, size_t bytes, bool last) {
  print("{\"name\": ");
  print_quoted(name);
  print(", \"unit\": \"bytes\", \"samples\": [");
  print_number((uint32_t)bytes);
  print(last ? "], \"exact\": true, \"better\": \"lower\"}" : "], \"exact\": true, \"better\": \"lower\"}, ");
}

static const char *problems[SAMPLES];
static unsigned checked;

static int finish(const char *phase, const char *reason, size_t stack_bytes) {
  print("{" BENCH_ROW ", \"status\": ");
  print_quoted(reason ? "fail" : "pass");
  if (reason) {
    print(", \"phase\": ");
    print_quoted(phase);
    print(", \"reason\": ");
    print_quoted(reason);
  }
  print(", \"checks\": [");
  for (unsigned s = 0; s < checked; ++s) {
    print(s ? ", {\"sample\": " : "{\"sample\": ");
    print_quoted(names[s]);
    print(problems[s] ? ", \"ok\": false, \"problem\": " : ", \"ok\": true");
    if (problems[s]) print_quoted(problems[s]);
    print("}");
  }
  print("], \"metrics\": [");
  if (!reason) {
    print_metric("arena_bytes", bench_arena_bytes(), false);
    print_metric("stack_bytes", stack_bytes, false);
    print_metric("ram_bytes", bench_memory_bytes() + stack_bytes, true);
  }
  print("]}\n");
  flush();
  return reason != NULL;
}

// The marks: the plugin knows these functions by their names.
__attribute__((noinline)) void xcut_mark_begin(uint32_t region) { __asm__ volatile("" ::"r"(region) : "memory"); }
__attribute__((noinline)) void xcut_mark_end(uint32_t region) { __asm__ volatile("" ::"r"(region) : "memory"); }

// Stack of one call, which starts below this function's own.
__attribute__((noinline)) static const char *measure(const sample *first, size_t *stack_bytes) {
  const uint8_t *frame = __builtin_frame_address(0);
  paint_stack(frame - 256);  // below what painting itself uses
  xcut_mark_begin(0);
  const char *problem = bench_call(first->inputs, buffers);
  xcut_mark_end(0);
  const uint8_t *lowest = lowest_of_stack();
  *stack_bytes = (size_t)(frame - lowest);
  return problem ? problem : lowest == heap_end() ? "the stack is too small" : NULL;
}

int main(void) {
  const char *problem = bench_open(heap_begin(), (size_t)(heap_end() - heap_begin()));
  if (problem) return finish("run", problem, 0);
  const char *wrong = NULL;
  for (; checked < SAMPLES; ++checked) {
    const sample one = find(checked);
    fill_outputs();
    problem = bench_call(one.inputs, buffers);
    if (problem) return finish("run", problem, 0);
    print_outputs(names[checked]);
    problems[checked] = compare(&one);
    if (problems[checked]) wrong = problems[checked];
  }
  if (wrong) return finish("check", wrong, 0);
  const sample first = find(0);
  size_t stack_bytes;
  fill_outputs();
  problem = measure(&first, &stack_bytes);
  if (!problem) problem = compare(&first);
  return finish("measure", problem, stack_bytes);
}
