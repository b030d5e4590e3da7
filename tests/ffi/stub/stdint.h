/* Empty on purpose: FFI parsers know the fixed-width types, and trip over a
 * compiler's own stdint.h. */
