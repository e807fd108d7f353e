// SPDX-License-Identifier: GPL-2.0-or-later
// Counts the instructions that a program executes under QEMU, in all and between marks.
//
//   qemu-aarch64 -plugin libcrosscut-count.so,out=counts.json[,blocks=20] PROGRAM...
//
// A program sets a mark by the system call 0x7b7b, which no kernel has: (1, id) begins region `id`, (2, id) ends it.
// One that runs without a kernel (qemu-system-*) calls a function of the name xcut_mark_begin or xcut_mark_end, which
// its file's symbols tell; regions then have their numbers in order as id. Each translated block has one 64-bit counter
// of its executions, which QEMU adds to inline; an instruction count is the sum of executions x instructions. That
// costs next to nothing, and is exact with one thread: the inline addition is not atomic, so the file says "exact":
// false when there were more.
//
// `out` is written when the program exits (not when it aborts):
//   {"target": "aarch64", "exact": true, "instructions": 1234,
//    "regions": [{"id": 0, "instructions": 100}, ...],
//    "blocks": [{"address": "0x401000", "instructions": 5, "executions": 20, "symbol": "", "bytes": "1f2003d5..."}]}
// `regions` has one entry a begin and end, in order. `blocks` are the N that executed most instructions inside regions
// (in the whole program when it has none).
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu.h"

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

enum { MARK_SYSCALL = 0x7b7b, MARK_BEGIN = 1, MARK_END = 2, MAX_PATH = 4096 };

typedef struct {
  uint64_t executions;  // added to by translated code: never moves once registered
  uint64_t at_begin;    // executions when the open region began
  uint64_t in_regions;  // executions inside closed regions
  uint64_t address, instructions;
  size_t byte_count;
  const char *symbol;  // QEMU's
  uint8_t bytes[];
} block;

typedef struct {
  uint64_t id, instructions;
} region;

static struct {
  pthread_mutex_t lock;
  block **blocks;  // in order of their first translation
  size_t block_count, block_room;
  block **table;  // the same by address and content, open addressing; null is free
  size_t table_size;
  region *regions;
  size_t region_count, region_room;
  bool region_open;
  uint64_t region_id, region_begin;
  unsigned vcpus, stray_marks;
  bool has_kernel;
  size_t hot_blocks;
  char target[32], out[MAX_PATH];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *grow(void *memory, size_t bytes) {
  void *grown = realloc(memory, bytes);
  if (!grown) {
    fputs("crosscut-count: out of memory\n", stderr);
    exit(1);
  }
  return grown;
}

// Blocks are found again after QEMU dropped its translations, so that a block keeps one counter.
static block **find(uint64_t address, uint64_t instructions, const uint8_t *bytes, size_t byte_count) {
  size_t at = (size_t)((address * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (state.table_size - 1);
  for (;; at = (at + 1) & (state.table_size - 1)) {
    block *b = state.table[at];
    if (!b || (b->address == address && b->instructions == instructions && b->byte_count == byte_count &&
               memcmp(b->bytes, bytes, byte_count) == 0))
      return &state.table[at];
  }
}

static void grow_table(void) {
  state.table_size = state.table_size ? state.table_size * 2 : 1 << 14;
  free(state.table);
  state.table = calloc(state.table_size, sizeof *state.table);
  if (!state.table) grow(NULL, SIZE_MAX);
  for (size_t i = 0; i < state.block_count; ++i) {
    block *b = state.blocks[i];
    *find(b->address, b->instructions, b->bytes, b->byte_count) = b;
  }
}

static uint64_t executed(void) {
  uint64_t sum = 0;
  for (size_t i = 0; i < state.block_count; ++i) sum += state.blocks[i]->executions * state.blocks[i]->instructions;
  return sum;
}

static void set_mark(uint64_t what, uint64_t id) {
  pthread_mutex_lock(&state.lock);
  if (what == MARK_BEGIN && !state.region_open) {
    state.region_open = true;
    state.region_id = id;
    state.region_begin = executed();
    for (size_t i = 0; i < state.block_count; ++i) state.blocks[i]->at_begin = state.blocks[i]->executions;
  } else if (what == MARK_END && state.region_open && id == state.region_id) {
    if (state.region_count == state.region_room) {
      state.region_room = state.region_room ? state.region_room * 2 : 64;
      state.regions = grow(state.regions, state.region_room * sizeof *state.regions);
    }
    state.regions[state.region_count++] = (region){id, executed() - state.region_begin};
    for (size_t i = 0; i < state.block_count; ++i) {
      block *b = state.blocks[i];
      b->in_regions += b->executions - b->at_begin;
    }
    state.region_open = false;
  } else {
    ++state.stray_marks;
  }
  pthread_mutex_unlock(&state.lock);
}

static void on_syscall(qemu_plugin_id_t plugin, unsigned vcpu, int64_t number, uint64_t what, uint64_t id, uint64_t a3,
                       uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
  (void)plugin, (void)vcpu, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
  if (number == MARK_SYSCALL) set_mark(what, id);
}

static void on_mark_begin(unsigned vcpu, void *userdata) {
  (void)vcpu, (void)userdata;
  set_mark(MARK_BEGIN, state.region_count);
}

static void on_mark_end(unsigned vcpu, void *userdata) {
  (void)vcpu, (void)userdata;
  set_mark(MARK_END, state.region_count);
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  size_t count = qemu_plugin_tb_n_insns(tb), byte_count = 0;
  if (!count) return;
  for (size_t i = 0; i < count; ++i) byte_count += qemu_plugin_insn_size(qemu_plugin_tb_get_insn(tb, i));
  block *fresh = grow(NULL, sizeof *fresh + byte_count);
  *fresh = (block){.address = qemu_plugin_tb_vaddr(tb), .instructions = count, .byte_count = byte_count};
  for (size_t i = 0, at = 0; i < count; ++i) {
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
    memcpy(fresh->bytes + at, qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn));
    at += qemu_plugin_insn_size(insn);
  }

  pthread_mutex_lock(&state.lock);
  if (2 * state.block_count >= state.table_size) grow_table();
  block **slot = find(fresh->address, count, fresh->bytes, byte_count);
  if (*slot) {
    free(fresh);
  } else {
    fresh->symbol = qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(tb, 0));
    *slot = fresh;
    if (state.block_count == state.block_room) {
      state.block_room = state.block_room ? state.block_room * 2 : 4096;
      state.blocks = grow(state.blocks, state.block_room * sizeof *state.blocks);
    }
    state.blocks[state.block_count++] = fresh;
  }
  block *b = *slot;
  pthread_mutex_unlock(&state.lock);
  qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &b->executions, 1);
  // A function that only sets a mark is one block.
  const char *symbol = state.has_kernel ? NULL : b->symbol;
  if (symbol && strcmp(symbol, "xcut_mark_begin") == 0)
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_mark_begin, QEMU_PLUGIN_CB_NO_REGS, NULL);
  if (symbol && strcmp(symbol, "xcut_mark_end") == 0)
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_mark_end, QEMU_PLUGIN_CB_NO_REGS, NULL);
}

static void on_vcpu(qemu_plugin_id_t id, unsigned vcpu) {
  (void)id, (void)vcpu;
  __atomic_add_fetch(&state.vcpus, 1, __ATOMIC_RELAXED);
}

static int hotter(const void *left, const void *right) {
  const block *a = *(block *const *)left, *b = *(block *const *)right;
  uint64_t x = a->in_regions * a->instructions, y = b->in_regions * b->instructions;
  if (x != y) return x < y ? 1 : -1;
  return a->address < b->address ? -1 : a->address > b->address;
}

static void write_blocks(FILE *file) {
  if (!state.region_count)
    for (size_t i = 0; i < state.block_count; ++i) state.blocks[i]->in_regions = state.blocks[i]->executions;
  if (state.block_count) qsort(state.blocks, state.block_count, sizeof *state.blocks, hotter);
  for (size_t i = 0; i < state.hot_blocks && i < state.block_count && state.blocks[i]->in_regions; ++i) {
    const block *b = state.blocks[i];
    fprintf(file, "%s\n  {\"address\": \"0x%" PRIx64 "\", \"instructions\": %" PRIu64 ", \"executions\": %" PRIu64,
            i ? "," : "", b->address, b->instructions, b->in_regions);
    fputs(", \"symbol\": \"", file);
    for (const char *c = b->symbol ? b->symbol : ""; *c; ++c)
      if (*c >= ' ' && *c < 127 && *c != '"' && *c != '\\') fputc(*c, file);
    fputs("\", \"bytes\": \"", file);
    for (size_t j = 0; j < b->byte_count; ++j) fprintf(file, "%02x", b->bytes[j]);
    fputs("\"}", file);
  }
}

static void on_exit_of_program(qemu_plugin_id_t id, void *userdata) {
  (void)id, (void)userdata;
  char temporary[MAX_PATH + 8];
  snprintf(temporary, sizeof temporary, "%s.new", state.out);
  FILE *file = fopen(temporary, "w");
  if (!file) {
    fprintf(stderr, "crosscut-count: %s: %s\n", temporary, strerror(errno));
    return;
  }
  pthread_mutex_lock(&state.lock);
  if (state.region_open) ++state.stray_marks;
  fprintf(file,
          "{\"target\": \"%s\", \"exact\": %s, \"instructions\": %" PRIu64 ", \"stray_marks\": %u,\n\"regions\": [",
          state.target, state.vcpus > 1 ? "false" : "true", executed(), state.stray_marks);
  for (size_t i = 0; i < state.region_count; ++i)
    fprintf(file, "%s{\"id\": %" PRIu64 ", \"instructions\": %" PRIu64 "}", i ? ", " : "", state.regions[i].id,
            state.regions[i].instructions);
  fputs("],\n\"blocks\": [", file);
  write_blocks(file);
  fputs("]}\n", file);
  pthread_mutex_unlock(&state.lock);
  bool written = !ferror(file);
  if (fclose(file) != 0 || !written || rename(temporary, state.out) != 0) {
    fprintf(stderr, "crosscut-count: %s: %s\n", state.out, strerror(errno));
    remove(temporary);
  }
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  snprintf(state.target, sizeof state.target, "%s", info->target_name);
  for (int i = 0; i < argc; ++i) {
    char *end = "x";
    if (strncmp(argv[i], "out=", 4) == 0 && strlen(argv[i] + 4) < MAX_PATH) {
      strcpy(state.out, argv[i] + 4);
    } else if (strncmp(argv[i], "blocks=", 7) == 0 && (state.hot_blocks = strtoul(argv[i] + 7, &end, 10), !*end)) {
    } else {
      fprintf(stderr, "crosscut-count: option not understood: %s\n", argv[i]);
      return 1;
    }
  }
  if (!state.out[0]) {
    fputs("crosscut-count: out=FILE is missing\n", stderr);
    return 1;
  }
  qemu_plugin_register_vcpu_init_cb(id, on_vcpu);
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
  state.has_kernel = !info->system_emulation;
  if (state.has_kernel) qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
  qemu_plugin_register_atexit_cb(id, on_exit_of_program, NULL);
  return 0;
}
