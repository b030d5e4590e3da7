/* A library of a release before the first: bindings refuse it. */
const char *onward_version(void);

const char *onward_version(void)
{
    return "0.0.9";
}
