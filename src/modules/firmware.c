/* Which package of Debian has which firmware. Most are in the section non-free-firmware. */
#include "modules/closure.h"

#include "base/str.h"

/* By how the file's name begins. */
static const struct {
    const char *prefix, *package;
} packages[] = {
    {"3com/", "firmware-misc-nonfree"},
    {"acenic/", "firmware-misc-nonfree"},
    {"adaptec/", "firmware-misc-nonfree"},
    {"advansys/", "firmware-misc-nonfree"},
    {"amdgpu/", "firmware-amd-graphics"},
    {"ath10k/", "firmware-atheros"},
    {"ath11k/", "firmware-atheros"},
    {"ath6k/", "firmware-atheros"},
    {"ath9k_htc/", "firmware-ath9k-htc"},
    {"bnx2/", "firmware-bnx2"},
    {"bnx2x", "firmware-bnx2x"},
    {"brcm/", "firmware-brcm80211"},
    {"cxgb3/", "firmware-misc-nonfree"},
    {"cxgb4/", "firmware-misc-nonfree"},
    {"e100/", "firmware-misc-nonfree"},
    {"i915/", "firmware-misc-nonfree"},
    {"intel/ice/", "firmware-misc-nonfree"},
    {"isci/", "firmware-linux-free"},
    {"iwlwifi-", "firmware-iwlwifi"},
    {"kaweth/", "firmware-misc-nonfree"},
    {"liquidio/", "firmware-cavium"},
    {"mellanox/", "firmware-misc-nonfree"},
    {"myri10ge_", "firmware-myricom"},
    {"netronome/", "firmware-netronome"},
    {"nvidia/", "firmware-misc-nonfree"},
    {"phanfw.bin", "firmware-netxen"},
    {"qed/", "firmware-qlogic"},
    {"ql2", "firmware-qlogic"},
    {"ql8", "firmware-qlogic"},
    {"radeon/", "firmware-amd-graphics"},
    {"rtl_nic/", "firmware-realtek"},
    {"rtl_bt/", "firmware-realtek"},
    {"rtlwifi/", "firmware-realtek"},
    {"rtw88/", "firmware-realtek"},
    {"rtw89/", "firmware-realtek"},
    {"sun/", "firmware-misc-nonfree"},
    {"tehuti/", "firmware-misc-nonfree"},
    {"tigon/", "firmware-misc-nonfree"},
    {"vxge/", "firmware-misc-nonfree"},
};

const char *firmware_package(const char *file)
{
    for (size_t i = 0; i < ARRAY_SIZE(packages); i++)
        if (str_starts(file, packages[i].prefix))
            return packages[i].package;
    return NULL;
}
