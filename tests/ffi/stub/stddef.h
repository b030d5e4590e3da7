/* Empty on purpose: FFI parsers know size_t, and trip over a compiler's own
 * stddef.h. */
