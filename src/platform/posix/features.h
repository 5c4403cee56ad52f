/* Asks the C library for the whole of the system's interface. First include of every file here. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
