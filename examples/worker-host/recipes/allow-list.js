// Only friends come through.
export default {
  async email(message, env, ctx) {
    const allowList = ["ann@sender.example", "coworker@sender.example"];
    if (allowList.indexOf(message.from) == -1) {
      message.setReject("Address not allowed");
    } else {
      await message.forward("box@one.example");
    }
  },
};
