/* Fuzzes the reader of Kea's reservations. */
#define FORMAT IMPORT_KEA
#define NAME   "kea.conf"
#include "import_fuzz.h"
