// A copy for each of several; one that cannot be had does not stop the others.
export default {
  async email(message, env, ctx) {
    const results = await Promise.allSettled(
      env.DESTINATIONS.map((to) => message.forward(to))
    );
    const failed = results.filter((r) => r.status === "rejected");
    for (const { reason } of failed) {
      console.log(`not forwarded: ${reason.message}`);
    }
    if (failed.length === results.length) {
      throw new Error("nobody took it");
    }
  },
};
