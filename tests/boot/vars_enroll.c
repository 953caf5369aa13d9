/* vars-enroll EMPTY STORE CERTIFICATE: a store of OVMF's variables with a key of one's own (lab/efi_vars.h).
 */
#include "lab/efi_vars.h"

int main(int argc, char **argv)
{
    cleanup_diags struct diags diags = {0};
    if (argc != 4)
        return 2;
    int r = lab_vars_enroll(argv[1], argv[2], argv[3], &diags);
    diags_print(&diags, stderr);
    return r < 0;
}
