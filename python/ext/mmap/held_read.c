#include "mmap/held_read.h"

#include "errors.h"

PyObject *held_read(PyObject *self, HeldReader *reader, void *context, const char *range_message)
{
    Hold hold;
    PyObject *bytes = NULL;
    ironmap_error error;
    int status = IRONMAP_OK;
    do {
        Py_CLEAR(bytes);
        if (!hold_begin(&hold, self, LOCK_READ)) {
            return NULL;
        }
        status = reader(&bytes, &hold, context, &error);
        hold_end(&hold);
    } while (hold_again(status));
    if (status != IRONMAP_OK) {
        Py_XDECREF(bytes);
        return raise_error(self, hold.map, &error, range_message);
    }
    return bytes;
}
