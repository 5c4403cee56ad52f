/* Asks for the interface of Windows 8. Newer functions are looked up at run time. First include of
 * every file here. */
#undef _WIN32_WINNT
#define _WIN32_WINNT 0x0602
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
