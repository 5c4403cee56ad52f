/* Keeps the module that contains this library loaded. */
#ifndef IRONMAP_PIN_MODULE_H
#define IRONMAP_PIN_MODULE_H

/* Called before the signal handler is installed: dlclose(3) of a plugin that contains the library
 * must not unmap the handler. */
void ironmap__pin_module(void);

#endif /* IRONMAP_PIN_MODULE_H */
