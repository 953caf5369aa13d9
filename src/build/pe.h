/* Programs of UEFI firmware (PE32+, Microsoft's PE/COFF specification): what unified kernel images are put
 * together from, and what is signed. Reads the headers; section data stays where it is. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PE_MACHINE_X64 = 0x8664, PE_MACHINE_ARM64 = 0xaa64 };
enum { PE_SECTIONS_MAX = 96 }; /* what Windows' loader takes; UEFI's programs have a dozen */

struct pe_section {
    char name[9];           /* with a NUL behind eight characters */
    uint32_t address;       /* relative to the image base */
    uint32_t size;          /* in memory, bytes */
    uint32_t offset, bytes; /* of what the file has of it; wholly within the file */
};

struct pe {
    uint16_t machine;
    uint64_t base;           /* preferred address of the image; often 0 */
    uint32_t signature_size; /* bytes of the certificate table; 0: not signed */
    size_t sections_n;
    struct pe_section sections[PE_SECTIONS_MAX];
};

/* 0; -EBADMSG: no PE32+ program for UEFI (subsystem 10), or one that is cut short. A kernel without
 * CONFIG_EFI_STUB is none. */
int pe_parse(const void *data, size_t size, struct pe *ret_pe);

/* The section of this name; NULL: none. */
const struct pe_section *pe_section(const struct pe *pe, const char *name);
/* The first address behind all sections, relative to the base. */
uint64_t pe_end(const struct pe *pe);
