/* The module mapio._mapio: the class, the constants, the version. */
#include <mapio/mapio.h>

#include "compat.h"
#include "mmap_object.h"

static const mapio_constant own_constants[] = {
    {"ACCESS_DEFAULT", MAPIO_ACCESS_DEFAULT},
    {"ACCESS_READ", MAPIO_ACCESS_READ},
    {"ACCESS_WRITE", MAPIO_ACCESS_WRITE},
    {"ACCESS_COPY", MAPIO_ACCESS_COPY},
};

static int add_constants(PyObject *module, const mapio_constant *constants, size_t count)
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
    const mapio_constant *constants = mapio_constants(&count);
    if (add_constants(module, constants, count) == -1 ||
        PyModule_AddIntConstant(module, "PAGESIZE", (long)mapio_page_size()) == -1) {
        return -1;
    }
    return PyModule_AddIntConstant(module, "ALLOCATIONGRANULARITY", (long)mapio_granularity());
}

static int add_class(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &mmap_spec, NULL);
    if (type == NULL) {
        return -1;
    }
    int status = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return status;
}

static int module_exec(PyObject *module)
{
    size_t count = sizeof(own_constants) / sizeof(own_constants[0]);
    if (add_class(module) == -1 || add_constants(module, own_constants, count) == -1 ||
        add_system(module) == -1 || PyModule_AddObjectRef(module, "error", PyExc_OSError) == -1) {
        return -1;
    }
    return PyModule_AddStringConstant(module, "__version__", mapio_version_string());
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, AS_SLOT(module_exec)},
    INTERPRETERS_SLOT,
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "mapio._mapio",
    .m_doc = "The part of mapio that is written in C. Import mapio instead.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__mapio(void);

PyMODINIT_FUNC PyInit__mapio(void)
{
    return PyModuleDef_Init(&definition);
}
