/* What every unit test includes: cmocka and what cmocka needs. */
#ifndef IRONMAP_TESTS_UNIT_H
#define IRONMAP_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#endif /* IRONMAP_TESTS_UNIT_H */
