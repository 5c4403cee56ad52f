/* A plugin that contains the library, for test_plugin.c. */
#include <ironmap/ironmap.h>

int plugin_use(const char *path);

/* Maps the file and reads a byte, which installs the fault handler. */
__attribute__((visibility("default"))) int plugin_use(const char *path)
{
    ironmap_map *m = NULL;
    uint8_t byte = 0;
    int status = ironmap_open_path(&m, path, IRONMAP_READ, NULL, NULL);
    if (status == IRONMAP_OK) {
        status = ironmap_get(m, 0, &byte, 1, NULL);
        (void)ironmap_close(m, NULL);
    }
    return status;
}
