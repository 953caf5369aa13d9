/* vars-enroll EMPTY STORE CERTIFICATE [owner|shim|tls]: a store of OVMF's variables with a certificate of
 * one's own (lab/efi_vars.h). */
#include "base/str.h"
#include "lab/efi_vars.h"

int main(int argc, char **argv)
{
    static const char *const words[] = {
        [LAB_TRUST_OWNER] = "owner", [LAB_TRUST_SHIM] = "shim", [LAB_TRUST_TLS] = "tls"};
    cleanup_diags struct diags diags = {0};
    size_t trust = LAB_TRUST_OWNER;
    if (argc != 4 && argc != 5)
        return 2;
    if (argc == 5)
        while (trust < ARRAY_SIZE(words) && !str_eq(words[trust], argv[4]))
            trust++;
    if (trust == ARRAY_SIZE(words))
        return 2;
    int r = lab_vars_enroll(argv[1], argv[2], (enum lab_trust)trust, argv[3], &diags);
    diags_print(&diags, stderr);
    return r < 0;
}
