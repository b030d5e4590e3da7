// Answer each message, with a number.
import { EmailMessage } from "cloudflare:email";
import { createMimeMessage } from "mimetext";
import PostalMime from "postal-mime";

let number = 0;

export default {
  async email(message, env, ctx) {
    const email = await PostalMime.parse(message.raw);
    const msg = createMimeMessage();
    msg.setHeader("In-Reply-To", message.headers.get("Message-ID"));
    msg.setSender({ name: "The desk", addr: message.to });
    msg.setRecipient(message.from);
    msg.setSubject("We have your message");
    msg.addMessage({
      contentType: "text/plain",
      data: `"${email.subject}" has the number ${++number}.`,
    });
    await message.reply(new EmailMessage(message.to, message.from, msg.asRaw()));
    await message.forward(env.DESK);
  },
};
