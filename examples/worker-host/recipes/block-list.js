// Everybody comes through, but these.
const blockList = new Set(["hater@sender.example", "spammer@sender.example"]);

export default {
  async email(message, env, ctx) {
    if (blockList.has(message.from)) {
      message.setReject("Address is blocked");
      return;
    }
    await message.forward("box@one.example");
  },
};
