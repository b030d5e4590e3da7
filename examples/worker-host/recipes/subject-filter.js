// By the subject: refused, marked, or simply forwarded.
export default {
  async email(message, env, ctx) {
    const subject = message.headers.get("subject") ?? "";
    if (/\b(lottery|viagra)\b/i.test(subject)) {
      return message.setReject("No spam please");
    }
    const headers = new Headers();
    if (subject.startsWith("[urgent]")) {
      headers.set("X-Priority-Mail", "yes");
    }
    await message.forward("box@one.example", headers);
  },
};
