/* Any bytes as an audit log: reading says what is wrong, and appending to it keeps a log that
 * reads. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "genba/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    gb_audit_head before, after;
    int fd = memfd_create("audit", MFD_CLOEXEC);
    if (fd < 0 || (size > 0 && write(fd, data, size) != (ssize_t)size))
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    gb_status whole = gb_audit_verify(path, NULL, &before);
    if (gb_audit_append(path, "open", "x", NULL, &after) == GB_OK && whole == GB_OK) {
        if (gb_audit_verify(path, &after, NULL) != GB_OK)
            abort(); /* what was whole must stay so */
        if (before.lines > 0 && gb_audit_verify(path, &before, NULL) != GB_OK)
            abort();
    }
    close(fd);
    return 0;
}
