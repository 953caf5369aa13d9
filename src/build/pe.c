/* See build/pe.h. */
#include "build/pe.h"
#include "base/bytes.h"
#include "base/str.h"

#include <errno.h>

enum {
    HEADER_AT = 0x3c, /* of the DOS header: where the PE header is */
    MAGIC_PE32_PLUS = 0x20b,
    SUBSYSTEM_EFI_APPLICATION = 10,
    DIRECTORY_CERTIFICATES = 4,
    DIRECTORIES_MAX = 16,
};

/* What follows the fixed part of the optional header: places of tables, by number. */
static void read_directories(struct reader *optional, struct pe *pe)
{
    uint32_t n = reader_le32(optional);
    for (uint32_t i = 0; i < n && i < DIRECTORIES_MAX; i++) {
        uint32_t at = reader_le32(optional), size = reader_le32(optional);
        if (i == DIRECTORY_CERTIFICATES && at)
            pe->signature_size = size;
    }
}

static int read_optional(struct reader optional, struct pe *pe)
{
    if (reader_le16(&optional) != MAGIC_PE32_PLUS)
        return -EBADMSG;
    reader_take(&optional, 22); /* linker's version, sizes, entry point */
    pe->base = reader_le64(&optional);
    reader_take(&optional, 36); /* alignments, versions, size of image and headers, checksum */
    uint16_t subsystem = reader_le16(&optional);
    reader_take(&optional, 38); /* characteristics, stack and heap, loader flags */
    read_directories(&optional, pe);
    return optional.failed || subsystem != SUBSYSTEM_EFI_APPLICATION ? -EBADMSG : 0;
}

static int read_section(struct reader *r, size_t file_size, struct pe_section *section)
{
    const uint8_t *name = reader_take(r, 8);
    if (name)
        memcpy(section->name, name, 8);
    section->size = reader_le32(r);
    section->address = reader_le32(r);
    section->bytes = reader_le32(r);
    section->offset = reader_le32(r);
    reader_take(r, 16); /* relocations, line numbers, characteristics */
    if (r->failed || section->bytes > file_size || section->offset > file_size - section->bytes)
        return -EBADMSG;
    return 0;
}

int pe_parse(const void *data, size_t size, struct pe *ret_pe)
{
    struct reader r = reader_of(data, size);
    struct pe pe = {0};
    const uint8_t *magic = reader_take(&r, 2);
    if (!magic || memcmp(magic, "MZ", 2) != 0 || !reader_take(&r, HEADER_AT - 2))
        return -EBADMSG;
    uint32_t at = reader_le32(&r);
    if (r.failed || at > size)
        return -EBADMSG;
    r = reader_of((const uint8_t *)data + at, size - at);
    magic = reader_take(&r, 4);
    if (!magic || memcmp(magic, "PE\0\0", 4) != 0)
        return -EBADMSG;
    pe.machine = reader_le16(&r);
    pe.sections_n = reader_le16(&r);
    reader_take(&r, 12); /* time stamp, symbols */
    uint16_t optional = reader_le16(&r);
    reader_take(&r, 2); /* characteristics */
    if (pe.sections_n > PE_SECTIONS_MAX || read_optional(reader_sub(&r, optional), &pe) < 0)
        return -EBADMSG;
    for (size_t i = 0; i < pe.sections_n; i++)
        if (read_section(&r, size, &pe.sections[i]) < 0)
            return -EBADMSG;
    *ret_pe = pe;
    return 0;
}

const struct pe_section *pe_section(const struct pe *pe, const char *name)
{
    for (size_t i = 0; i < pe->sections_n; i++)
        if (str_eq(pe->sections[i].name, name))
            return &pe->sections[i];
    return NULL;
}

uint64_t pe_end(const struct pe *pe)
{
    uint64_t end = 0;
    for (size_t i = 0; i < pe->sections_n; i++) {
        uint64_t behind = (uint64_t)pe->sections[i].address + pe->sections[i].size;
        end = behind > end ? behind : end;
    }
    return end;
}
