/* What publish, check and the server's own publishing need from the builders (publish/publish.h): artifacts,
 * found and not built. */
#pragma once

#include "cli/command.h"
#include "publish/publish.h"

/* What each definition would build to now. The context must outlive it. */
struct artifact_source built_artifacts(struct context *context);

/* What each definition built to last, for the server (builder/builder.h). The context must outlive it. */
struct artifact_source recorded_artifacts(struct context *context);
