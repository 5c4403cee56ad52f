/* The constants of the module, and those of the system by name. */
#include "constants.h"

#include <ironmap/extra.h>
#include <string.h>

static int add_access(PyObject *module)
{
    if (PyModule_AddIntConstant(module, "ACCESS_DEFAULT", ACCESS_DEFAULT) == -1 ||
        PyModule_AddIntConstant(module, "ACCESS_READ", IRONMAP_READ) == -1 ||
        PyModule_AddIntConstant(module, "ACCESS_WRITE", IRONMAP_WRITE) == -1) {
        return -1;
    }
    return PyModule_AddIntConstant(module, "ACCESS_COPY", IRONMAP_COPY);
}

static int add_system(PyObject *module)
{
    const char *name = NULL;
    int value = 0;
    for (size_t i = 0; ironmap_constant(&name, &value, i); i++) {
        if (PyModule_AddIntConstant(module, name, value) == -1) {
            return -1;
        }
    }
    if (PyModule_AddIntConstant(module, "PAGESIZE", (long)ironmap_page_size()) == -1) {
        return -1;
    }
    return PyModule_AddIntConstant(module, "ALLOCATIONGRANULARITY", (long)ironmap_granularity());
}

int constants_add(PyObject *module)
{
    return add_access(module) == -1 ? -1 : add_system(module);
}

int system_constant(const char *name)
{
    const char *found = NULL;
    int value = 0;
    for (size_t i = 0; ironmap_constant(&found, &value, i); i++) {
        if (strcmp(found, name) == 0) {
            return value;
        }
    }
    return 0;
}

bool system_has_flags(void)
{
    return system_constant("MAP_SHARED") != 0;
}
