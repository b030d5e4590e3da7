// Away: forward, and say so, to people; the forwarder answers no robots.
export default {
  async email(message, env, ctx) {
    ctx.waitUntil(message.forward("box@one.example"));
    try {
      await message.reply({
        from: { email: message.to, name: "Out of office" },
        subject: `Re: ${message.headers.get("subject")}`,
        text: "I am away until Monday.\n",
        html: "<p>I am away until Monday.</p>\n",
      });
    } catch (e) {
      console.log(`no reply: ${e.message}`);
    }
  },
};
