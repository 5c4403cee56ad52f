/* The constants of the module, and those of the system by name. */
#include "constants.h"

#include <ironmap/ironmap.h>
#include <string.h>

static const ironmap_constant own_constants[] = {
    {"ACCESS_DEFAULT", IRONMAP_ACCESS_DEFAULT},
    {"ACCESS_READ", IRONMAP_ACCESS_READ},
    {"ACCESS_WRITE", IRONMAP_ACCESS_WRITE},
    {"ACCESS_COPY", IRONMAP_ACCESS_COPY},
};

static int add_constants(PyObject *module, const ironmap_constant *constants, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (PyModule_AddIntConstant(module, constants[i].name, constants[i].value) == -1) {
            return -1;
        }
    }
    return 0;
}

static int add_system(PyObject *module)
{
    size_t count = 0;
    const ironmap_constant *constants = ironmap_constants(&count);
    if (add_constants(module, constants, count) == -1 ||
        PyModule_AddIntConstant(module, "PAGESIZE", (long)ironmap_page_size()) == -1) {
        return -1;
    }
    return PyModule_AddIntConstant(module, "ALLOCATIONGRANULARITY", (long)ironmap_granularity());
}

int constants_add(PyObject *module)
{
    size_t count = sizeof(own_constants) / sizeof(own_constants[0]);
    return add_constants(module, own_constants, count) == -1 ? -1 : add_system(module);
}

int system_constant(const char *name)
{
    size_t count = 0;
    const ironmap_constant *constants = ironmap_constants(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(constants[i].name, name) == 0) {
            return constants[i].value;
        }
    }
    return 0;
}

bool system_has_flags(void)
{
    return system_constant("MAP_SHARED") != 0;
}
