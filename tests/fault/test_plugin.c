/* A plugin that contains the library is unloaded. Then the program loses a page of its own. */
#include "signal_support.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int plugin_function(const char *path);

static const char *plugin;

/* Loads, uses and unloads the plugin. Returns 0 for success. */
static int use_plugin(const char *path)
{
    void *module = dlopen(plugin, RTLD_NOW);
    if (module == NULL) {
        return 1;
    }
    plugin_function *use = (plugin_function *)(uintptr_t)dlsym(module, "plugin_use");
    return use != NULL && use(path) == 0 && dlclose(module) == 0 ? 0 : 2;
}

/* Returns the signal that ends a child which reads a lost page. */
static int signal_of_lost_page(const char *path, int uses)
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        /* Replaces cmocka's handlers. */
        (void)signal(SIGBUS, SIG_DFL);
        (void)signal(SIGSEGV, SIG_DFL);
        for (int i = 0; i < uses; i++) {
            if (use_plugin(path) != 0) {
                _exit(1);
            }
        }
        int fd = open(path, O_RDWR);
        const volatile char *page = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
        if (fd == -1 || page == MAP_FAILED || ftruncate(fd, 0) != 0) {
            _exit(2);
        }
        _exit(page[0] + 3);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void unloaded_plugin_leaves_no_handler_without_code(void **state)
{
    (void)state;
    char path[] = "plugin-XXXXXX";
    for (int uses = 0; uses <= 2; uses++) {
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, 1), 0);
        (void)close(fd);
        assert_int_equal(signal_of_lost_page(path, uses), SIGBUS);
        assert_int_equal(unlink(path), 0);
        memcpy(path, "plugin-XXXXXX", sizeof(path));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unloaded_plugin_leaves_no_handler_without_code),
    };
    plugin = getenv("IRONMAP_TEST_PLUGIN");
    return plugin == NULL ? 77 : cmocka_run_group_tests(tests, NULL, NULL);
}
