/*
 * elf.h - what a shared object says about itself to the linker, read from the file without running any of it.
 * System V ABI, chapters 4 and 5. Only for files of this machine's own word size and byte order.
 */
#ifndef BO_CONFORMANCE_ELF_H
#define BO_CONFORMANCE_ELF_H

#include <stdbool.h>

#include "core/base/buffer.h"
#include "core/base/error.h"

struct conf_elf {
  void *map;
  size_t size;
  const void *dynamic; /* ElfW(Dyn) */
  size_t dynamic_count;
  const char *strings;
  size_t strings_size;
  const void *symbols; /* ElfW(Sym) */
  size_t symbol_count;
};

int conf_elf_open(struct conf_elf *elf, const char *path, struct bo_error *error);
void conf_elf_close(struct conf_elf *elf);

/* Calls `each` with every symbol that the object exports (`defined`) or wants from others; weak ones that it can do
 * without are left out. */
void conf_elf_symbols(const struct conf_elf *elf, bool defined, void (*each)(void *context, const char *name),
                      void *context);
/* Calls `each` with the text of every dynamic entry `tag` (DT_NEEDED, DT_RPATH, DT_RUNPATH). */
void conf_elf_texts(const struct conf_elf *elf, long tag, void (*each)(void *context, const char *text), void *context);
/* Whether loading it makes the stack executable. */
bool conf_elf_wants_executable_stack(const struct conf_elf *elf);

#endif
