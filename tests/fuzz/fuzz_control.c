/* A line of the control socket: any bytes; what is taken has the argument that its call needs, and what is
 * not is answered with one line of text. */
#include "daemon/control.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mac no_mac;
    struct control_request request;
    char error[CONTROL_ERROR_MAX] = "";
    int r = control_request_parse((const char *)data, size, &request, error);
    assert(r == 0 || r == -EINVAL);
    if (r < 0) {
        assert(error[0] && !strchr(error, '\n'));
        return 0;
    }
    assert(size <= CONTROL_LINE_MAX);
    assert(request.call == CONTROL_LEASE_RELEASE || request.ip == 0);
    assert(request.call == CONTROL_CANDIDATE_FORGET || mac_equal(&request.mac, &no_mac));
    return 0;
}
