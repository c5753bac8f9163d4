/* elf.c - every offset in the file is foreign: looked at only after it is known to lie inside. */
#include "programs/plugin-conformance/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/base/cleanup.h"

static const void *inside(const struct conf_elf *elf, uint64_t offset, uint64_t size) {
  if (offset > elf->size || size > elf->size - offset || offset % sizeof(uint32_t) != 0) return NULL;
  return (const char *)elf->map + offset;
}

static int refuse(const char *path, const char *why, struct bo_error *error) {
  return bo_error_set(error, BO_CLASS_CONFIG, 0, "%s: %s", path, why);
}

/* The section of a type, and how many entries of `entry_size` it has. */
static const ElfW(Shdr) * find_section(const struct conf_elf *elf, uint32_t type) {
  const ElfW(Ehdr) *header = elf->map;
  const ElfW(Shdr) *sections = inside(elf, header->e_shoff, (uint64_t)header->e_shnum * sizeof(*sections));
  for (unsigned i = 0; sections != NULL && i < header->e_shnum; i++)
    if (sections[i].sh_type == type) return &sections[i];
  return NULL;
}

static int read_tables(struct conf_elf *elf, const char *path, struct bo_error *error) {
  const ElfW(Ehdr) *header = elf->map;
  if (elf->size < sizeof(*header) || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_type != ET_DYN)
    return refuse(path, "is not a shared object", error);
  if (header->e_ident[EI_CLASS] != (__ELF_NATIVE_CLASS == 64 ? ELFCLASS64 : ELFCLASS32))
    return refuse(path, "is built for another machine", error);
  const ElfW(Shdr) *dynamic = find_section(elf, SHT_DYNAMIC), *symbols = find_section(elf, SHT_DYNSYM);
  if (dynamic == NULL || symbols == NULL) return refuse(path, "has no table of dynamic symbols", error);
  const ElfW(Shdr) *sections = inside(elf, header->e_shoff, (uint64_t)header->e_shnum * sizeof(*sections));
  const ElfW(Shdr) *strings = symbols->sh_link < header->e_shnum ? &sections[symbols->sh_link] : NULL;
  elf->dynamic = inside(elf, dynamic->sh_offset, dynamic->sh_size);
  elf->dynamic_count = dynamic->sh_size / sizeof(ElfW(Dyn));
  elf->symbols = inside(elf, symbols->sh_offset, symbols->sh_size);
  elf->symbol_count = symbols->sh_size / sizeof(ElfW(Sym));
  if (strings != NULL && strings->sh_offset <= elf->size && strings->sh_size <= elf->size - strings->sh_offset) {
    elf->strings = (const char *)elf->map + strings->sh_offset;
    elf->strings_size = strings->sh_size;
  }
  if (elf->dynamic == NULL || elf->symbols == NULL || elf->strings_size == 0 ||
      elf->strings[elf->strings_size - 1] != '\0')
    return refuse(path, "its tables lie outside of the file: it is damaged", error);
  return BO_OK;
}

int conf_elf_open(struct conf_elf *elf, const char *path, struct bo_error *error) {
  *elf = (struct conf_elf){.map = NULL};
  BO_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0) return bo_error_errno(error, errno, "%s", path);
  if (!S_ISREG(status.st_mode) || status.st_size == 0) return refuse(path, "is not a shared object", error);
  void *map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (map == MAP_FAILED) return bo_error_errno(error, errno, "%s", path);
  elf->map = map;
  elf->size = (size_t)status.st_size;
  int result = read_tables(elf, path, error);
  if (result != BO_OK) conf_elf_close(elf);
  return result;
}

void conf_elf_close(struct conf_elf *elf) {
  if (elf->map != NULL) (void)munmap(elf->map, elf->size);
  elf->map = NULL;
}

static const char *text_at(const struct conf_elf *elf, uint64_t offset) {
  return offset < elf->strings_size ? elf->strings + offset : "";
}

void conf_elf_symbols(const struct conf_elf *elf, bool defined, void (*each)(void *context, const char *name),
                      void *context) {
  const ElfW(Sym) *symbols = elf->symbols;
  for (size_t i = 0; i < elf->symbol_count; i++) {
    unsigned binding = symbols[i].st_info >> 4, visibility = symbols[i].st_other & 3;
    bool is_defined = symbols[i].st_shndx != SHN_UNDEF;
    if (symbols[i].st_name == 0 || is_defined != defined || binding == STB_LOCAL) continue;
    if (defined ? visibility == STV_HIDDEN || visibility == STV_INTERNAL || symbols[i].st_shndx == SHN_ABS
                : binding == STB_WEAK)
      continue;
    each(context, text_at(elf, symbols[i].st_name));
  }
}

void conf_elf_texts(const struct conf_elf *elf, long tag, void (*each)(void *context, const char *text),
                    void *context) {
  const ElfW(Dyn) *dynamic = elf->dynamic;
  for (size_t i = 0; i < elf->dynamic_count && dynamic[i].d_tag != DT_NULL; i++)
    if (dynamic[i].d_tag == tag) each(context, text_at(elf, dynamic[i].d_un.d_val));
}

bool conf_elf_wants_executable_stack(const struct conf_elf *elf) {
  const ElfW(Ehdr) *header = elf->map;
  const ElfW(Phdr) *segments = inside(elf, header->e_phoff, (uint64_t)header->e_phnum * sizeof(*segments));
  for (unsigned i = 0; segments != NULL && i < header->e_phnum; i++)
    if (segments[i].p_type == PT_GNU_STACK) return (segments[i].p_flags & PF_X) != 0;
  return true; /* without the header the system's default is an executable one */
}
